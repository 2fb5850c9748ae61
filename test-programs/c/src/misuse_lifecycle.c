// Synchronisation objects and threads, used outside of their lives or against their rules.
#include "../meeting.h"
#include <time.h>
#include <unistd.h>

static pthread_mutex_t kept = PTHREAD_MUTEX_INITIALIZER, twice = PTHREAD_MUTEX_INITIALIZER, used = PTHREAD_MUTEX_INITIALIZER,
                       held = PTHREAD_MUTEX_INITIALIZER, here = PTHREAD_MUTEX_INITIALIZER, again;
static pthread_cond_t gone = PTHREAD_COND_INITIALIZER, awaited = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t free_one = PTHREAD_RWLOCK_INITIALIZER, read_one = PTHREAD_RWLOCK_INITIALIZER;

static void *keep(void *arg) {
    pthread_mutex_lock(&kept); //~ lock-held-at-thread-end(1)
    pthread_rwlock_rdlock(&read_one); //~ lock-held-at-thread-end(2)
    return arg;
}

static void *wait_a_while(void *arg) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 3;
    pthread_mutex_lock(&here);
    require(pthread_cond_timedwait(&awaited, &here, &until) == ETIMEDOUT);
    pthread_mutex_unlock(&here);
    return arg;
}

int main(void) {
    pthread_t thread;
    require(pthread_create(&thread, 0, keep, 0) == 0);
    require(pthread_join(thread, 0) == 0);

    pthread_mutex_destroy(&twice);
    pthread_mutex_destroy(&twice); //~ double-destroy(3)

    pthread_mutex_destroy(&used);
    pthread_mutex_lock(&used); //~ use-after-destroy(4)
    pthread_mutex_unlock(&used); //~ use-after-destroy(5)

    pthread_cond_destroy(&gone);
    pthread_cond_signal(&gone); //~ use-after-destroy(6)

    pthread_mutex_lock(&held);
    pthread_mutex_init(&held, 0); //~ init-held-lock(7)

    pthread_rwlock_unlock(&free_one); //~ unlock-not-held(8)

    pthread_mutexattr_t checks;
    pthread_mutexattr_init(&checks);
    pthread_mutexattr_settype(&checks, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&again, &checks);
    pthread_mutex_lock(&again);
    require(pthread_mutex_lock(&again) == EDEADLK); //~ relock(9)
    pthread_mutex_unlock(&again);

    require(pthread_create(&thread, 0, wait_a_while, 0) == 0);
    sleep(1);
    pthread_mutex_lock(&here);
    pthread_mutex_unlock(&here);
    pthread_cond_destroy(&awaited); //~ destroy-in-use(10)
    require(pthread_join(thread, 0) == 0);
}
