// Releases that fail order nothing: an unlock and a wait of a mutex that checks who holds it, by a thread that does not, and the
// post of a semaphore that has its highest value. Another thread takes each right afterwards; it sleeps until then.
#include "../meeting.h"
#include <limits.h>
#include <semaphore.h>
#include <unistd.h>

static pthread_mutex_t unlocked, waited;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t full;
static volatile int first, second, third;

static void *work(void *arg) {
    sleep(1);
    pthread_mutex_lock(&unlocked);
    first = 1; //~ race(1)
    pthread_mutex_unlock(&unlocked);
    pthread_mutex_lock(&waited);
    second = 1; //~ race(2)
    pthread_mutex_unlock(&waited);
    sem_wait(&full);
    third = 1; //~ race(3)
    return arg;
}

int main(void) {
    pthread_mutexattr_t checks;
    pthread_mutexattr_init(&checks);
    pthread_mutexattr_settype(&checks, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&unlocked, &checks);
    pthread_mutex_init(&waited, &checks);
    require(sem_init(&full, 0, INT_MAX) == 0);
    pthread_t thread;
    require(pthread_create(&thread, 0, work, 0) == 0);
    first = 2; //~ race(1)
    require(pthread_mutex_unlock(&unlocked) == EPERM); //~ unlock-not-held(4)
    second = 2; //~ race(2)
    require(pthread_cond_wait(&condition, &waited) == EPERM); //~ condvar-wait-without-lock(5)
    third = 2; //~ race(3)
    require(sem_post(&full) == -1 && errno == EOVERFLOW);
    require(pthread_join(thread, 0) == 0);
}
