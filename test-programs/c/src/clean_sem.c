// Semaphores: what is put into a buffer is taken out by another thread.
//@ stdout: 45
#include "../meeting.h"
#include <semaphore.h>
#include <stdio.h>

static sem_t full, empty;
static int buffer[2], sum;

static void *work(void *arg) {
    for (int i = 0; i < 10; i++) {
        if (arg) {
            sem_wait(&empty);
            buffer[i % 2] = i;
            sem_post(&full);
        } else {
            while (i % 2 && sem_trywait(&full) != 0)
                sched_yield();
            if (i % 2 == 0)
                sem_wait(&full);
            sum += buffer[i % 2];
            sem_post(&empty);
        }
    }
    return arg;
}

int main(void) {
    require(sem_init(&full, 0, 0) == 0 && sem_init(&empty, 0, 2) == 0);
    in_two_threads(work);
    sem_destroy(&full);
    sem_destroy(&empty);
    printf("%d\n", sum);
}
