// A thread that runs still when main returns is no leak.
#include "../meeting.h"
#include <unistd.h>

static void *work(void *arg) {
    for (;;)
        sleep(1);
    return arg;
}

int main(void) {
    pthread_t thread;
    require(pthread_create(&thread, 0, work, 0) == 0);
    sleep(3);
}
