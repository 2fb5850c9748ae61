// What one thread sets up, all see.
//@ stdout: 1
#include "../meeting.h"
#include <stdio.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int set_up;

static void init(void) { set_up++; }

static void *work(void *arg) {
    pthread_once(&once, init);
    require(set_up == 1);
    return arg;
}

int main(void) {
    in_two_threads(work);
    printf("%d\n", set_up);
}
