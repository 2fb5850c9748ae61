// Threads that are detached, by attribute and by themselves, and one that gives a result to who joins it.
//@ stdout: 7
#include "../meeting.h"
#include <semaphore.h>
#include <stdio.h>

static sem_t done;
static int number;

static void *detached(void *arg) {
    if (arg)
        pthread_detach(pthread_self());
    number++;
    sem_post(&done);
    return arg;
}

static void *result(void *arg) {
    (void)arg;
    int *five = malloc(sizeof *five);
    require(five != 0);
    *five = 5;
    return five;
}

int main(void) {
    pthread_t thread;
    pthread_attr_t attributes;
    require(sem_init(&done, 0, 0) == 0);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    require(pthread_create(&thread, &attributes, detached, 0) == 0);
    sem_wait(&done);
    require(pthread_create(&thread, 0, detached, &thread) == 0);
    sem_wait(&done);
    void *five;
    require(pthread_create(&thread, 0, result, 0) == 0);
    require(pthread_join(thread, &five) == 0);
    number += *(int *)five;
    free(five);
    printf("%d\n", number);
}
