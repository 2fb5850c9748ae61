// Mutexes: plain, recursive, tried, with a time-out.
//@ stdout: 20 20
#include "../meeting.h"
#include <stdio.h>
#include <time.h>

static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER, recursive;
static int sum, nested;

static void *work(void *arg) {
    for (int i = 0; i < 10; i++) {
        if (i % 2 || pthread_mutex_trylock(&plain) != 0)
            require(pthread_mutex_lock(&plain) == 0);
        sum++;
        pthread_mutex_unlock(&plain);
        pthread_mutex_lock(&recursive);
        pthread_mutex_lock(&recursive);
        nested++;
        pthread_mutex_unlock(&recursive);
        nested += 0;
        pthread_mutex_unlock(&recursive);
    }
    return arg;
}

static void *late(void *arg) {
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_sec++;
    require(pthread_mutex_timedlock(&plain, &soon) == ETIMEDOUT);
    return arg;
}

int main(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    require(pthread_mutex_init(&recursive, &attributes) == 0);
    in_two_threads(work);
    pthread_t thread;
    pthread_mutex_lock(&plain);
    require(pthread_create(&thread, 0, late, 0) == 0);
    require(pthread_join(thread, 0) == 0);
    pthread_mutex_unlock(&plain);
    pthread_mutex_destroy(&recursive);
    printf("%d %d\n", sum, nested);
}
