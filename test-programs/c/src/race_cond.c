// What is announced is written after it has been announced.
#include "../meeting.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static meeting here = MEETING;
static int ready;
static volatile int number;

static void *announce(void *arg) {
    pthread_mutex_lock(&lock);
    ready = 1;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    meet(&here);
    number = 1; //~ race(1)
    return arg;
}

int main(void) {
    pthread_t thread;
    require(pthread_create(&thread, 0, announce, 0) == 0);
    pthread_mutex_lock(&lock);
    while (!ready)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    meet(&here);
    (void)number; //~ race(1)
    pthread_join(thread, 0);
}
