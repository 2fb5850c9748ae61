// The lock of a stream orders who takes it, as often as they do and among those who print.
//@ stdout: 2
#include "../meeting.h"
#include <stdio.h>

static int counter;

static void *add(void *arg) {
    flockfile(stdout);
    while (ftrylockfile(stdout) != 0) {
    }
    counter++;
    funlockfile(stdout);
    fflush(stdout);
    funlockfile(stdout);
    return arg;
}

int main(void) {
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        require(pthread_create(&threads[i], 0, add, 0) == 0);
    flockfile(stdout);
    require(counter <= 2);
    funlockfile(stdout);
    for (int i = 0; i < 2; i++)
        require(pthread_join(threads[i], 0) == 0);
    printf("%d\n", counter);
}
