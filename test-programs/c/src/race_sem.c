// A semaphore that lets two in at once.
#include "../meeting.h"
#include <semaphore.h>

static sem_t places;
static meeting here = MEETING;
static volatile int sum;

static void *work(void *arg) {
    sem_wait(&places);
    meet(&here);
    sum++; //~ race(1) race(1)
    sem_post(&places);
    return arg;
}

int main(void) {
    require(sem_init(&places, 0, 2) == 0);
    in_two_threads(work);
}
