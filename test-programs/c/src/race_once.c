// What is set up once is changed by all.
#include "../meeting.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static meeting here = MEETING;
static volatile int number;

static void init(void) { number = 7; }

static void *work(void *arg) {
    pthread_once(&once, init);
    meet(&here);
    number++; //~ race(1) race(1)
    return arg;
}

int main(void) { in_two_threads(work); }
