// The twin of race_unjoined in which main writes before it creates the threads. One of them runs for ever, and one waits for ever.
#include "../meeting.h"
#include <stdatomic.h>
#include <time.h>

static volatile int quick, late;
static atomic_int turns;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

static void *work(void *arg) {
    quick = 1;
    for (;;)
        turns++;
    return arg;
}

static void nap(void) {
    pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t none = PTHREAD_COND_INITIALIZER;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 2;
    pthread_mutex_lock(&own);
    while (pthread_cond_timedwait(&none, &own, &until) != ETIMEDOUT) {
    }
    pthread_mutex_unlock(&own);
}

static void *sleeper(void *arg) {
    nap();
    late = 1;
    pthread_mutex_lock(&lock);
    for (;;)
        pthread_cond_wait(&never, &lock);
    return arg;
}

int main(void) {
    pthread_t thread;
    quick = 2;
    late = 2;
    require(pthread_create(&thread, 0, work, 0) == 0 && pthread_detach(thread) == 0);
    require(pthread_create(&thread, 0, sleeper, 0) == 0 && pthread_detach(thread) == 0);
    exit(0);
}
