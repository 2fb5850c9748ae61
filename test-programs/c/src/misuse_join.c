// Threads that are joined and cannot be: what the second join does is not defined, so that it comes last.
#include "../meeting.h"
#include <unistd.h>

static void *nothing(void *arg) {
    return arg;
}

int main(void) {
    pthread_t thread;
    require(pthread_create(&thread, 0, nothing, 0) == 0);
    require(pthread_join(thread, 0) == 0);
    pthread_join(thread, 0); //~ double-join(1)
    exit(0);
}
