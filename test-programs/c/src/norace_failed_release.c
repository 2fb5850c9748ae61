// The twin of race_failed_release: the releases succeed. Attempts that fail and a wait that is refused leave locks as they are.
#include "../meeting.h"
#include <semaphore.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t unlocked, waited;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t posted;
static volatile int first, second, third;

static void *work(void *arg) {
    sleep(1);
    while (pthread_mutex_trylock(&unlocked) == EBUSY)
        sleep(1);
    first = 1;
    pthread_mutex_unlock(&unlocked);
    pthread_mutex_lock(&waited);
    second = 1;
    pthread_mutex_unlock(&waited);
    require(sem_wait(&posted) == 0);
    third = 1;
    return arg;
}

int main(void) {
    pthread_mutexattr_t checks;
    pthread_mutexattr_init(&checks);
    pthread_mutexattr_settype(&checks, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&unlocked, &checks);
    pthread_mutex_init(&waited, &checks);
    require(sem_init(&posted, 0, 0) == 0);
    pthread_t thread;
    pthread_mutex_lock(&unlocked);
    pthread_mutex_lock(&waited);
    require(pthread_create(&thread, 0, work, 0) == 0);
    first = 2;
    sleep(2);
    first = 3;
    require(pthread_mutex_unlock(&unlocked) == 0);
    second = 2;
    struct timespec never = {0, 2000000000};
    require(pthread_cond_timedwait(&condition, &waited, &never) == EINVAL);
    second = 3;
    struct timespec past = {0, 0};
    require(pthread_cond_timedwait(&condition, &waited, &past) == ETIMEDOUT);
    second = 4;
    third = 2;
    require(sem_post(&posted) == 0);
    require(pthread_mutex_unlock(&waited) == 0);
    require(pthread_join(thread, 0) == 0);
}
