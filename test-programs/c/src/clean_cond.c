// Condition variables, with and without a time-out.
//@ stdout: 10
#include "../meeting.h"
#include <stdio.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn;

static void *work(void *arg) {
    for (int i = 0; i < 5; i++) {
        pthread_mutex_lock(&lock);
        while (turn % 2 != (long)arg)
            pthread_cond_wait(&changed, &lock);
        turn++;
        if (i % 2)
            pthread_cond_signal(&changed);
        pthread_mutex_unlock(&lock);
        pthread_cond_broadcast(&changed);
    }
    return arg;
}

int main(void) {
    in_two_threads(work);
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_sec++;
    pthread_mutex_lock(&lock);
    require(pthread_cond_timedwait(&changed, &lock, &soon) == ETIMEDOUT);
    pthread_mutex_unlock(&lock);
    pthread_cond_destroy(&changed);
    printf("%d\n", turn);
}
