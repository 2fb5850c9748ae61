// Twin of clean_stream: the locks of two streams order nobody.
#include "../meeting.h"
#include <stdio.h>

static int counter;

static void *add(void *stream) {
    flockfile(stream);
    counter++; //~ race(1)
    funlockfile(stream);
    return stream;
}

int main(void) {
    pthread_t thread;
    require(pthread_create(&thread, 0, add, stdout) == 0);
    flockfile(stderr);
    counter++; //~ race(1)
    funlockfile(stderr);
    require(pthread_join(thread, 0) == 0);
}
