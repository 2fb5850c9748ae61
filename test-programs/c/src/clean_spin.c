// Spin locks.
//@ stdout: 20
#include "../meeting.h"
#include <stdio.h>

static pthread_spinlock_t lock;
static int sum;

static void *work(void *arg) {
    for (int i = 0; i < 10; i++) {
        if (i % 2 || pthread_spin_trylock(&lock) != 0)
            pthread_spin_lock(&lock);
        sum++;
        pthread_spin_unlock(&lock);
    }
    return arg;
}

int main(void) {
    require(pthread_spin_init(&lock, 0) == 0);
    in_two_threads(work);
    pthread_spin_destroy(&lock);
    printf("%d\n", sum);
}
