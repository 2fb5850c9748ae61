// The twin of race_stack: what is lent is used again after the join.
#include "../meeting.h"

static void *borrow(void *arg) {
    volatile int *theirs = arg;
    *theirs += 1;
    return 0;
}

static void *lend(void *arg) {
    volatile int *mains = arg;
    volatile int own = 0;
    pthread_t thread;
    *mains += 1;
    require(pthread_create(&thread, 0, borrow, (void *)&own) == 0);
    pthread_join(thread, 0);
    own += 1;
    return 0;
}

int main(void) {
    volatile int own = 0;
    pthread_t thread;
    require(pthread_create(&thread, 0, lend, (void *)&own) == 0);
    pthread_join(thread, 0);
    own += 1;
}
