// A thread that nobody joins races with what main does before it returns; another one does so after a sleep, and after main has
// called exit.
#include "../meeting.h"
#include <time.h>

static volatile int quick, late;

static void *work(void *arg) {
    quick = 1; //~ race(1)
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
    late = 1; //~ race(2)
    return arg;
}

int main(void) {
    pthread_t thread;
    require(pthread_create(&thread, 0, work, 0) == 0 && pthread_detach(thread) == 0);
    require(pthread_create(&thread, 0, sleeper, 0) == 0 && pthread_detach(thread) == 0);
    quick = 2; //~ race(1)
    late = 2;  //~ race(2)
    exit(0);
}
