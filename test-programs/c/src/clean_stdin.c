// A thread reads standard input to its end, waiting for it if need be, while another one works and says so.
#include "../meeting.h"
#include <stdio.h>
#include <unistd.h>

static void *reads(void *arg) {
    char bytes[16];
    long all = 0, some;
    while ((some = read(0, bytes, sizeof bytes)) > 0)
        all += some;
    printf("read %ld\n", all);
    fflush(stdout);
    return arg;
}

static void *works(void *arg) {
    volatile unsigned sum = 0;
    for (unsigned i = 0; i < 1000; i++)
        sum += i;
    printf("worked %u\n", sum);
    fflush(stdout);
    return arg;
}

int main(void) {
    pthread_t reader, worker;
    require(pthread_create(&reader, 0, reads, 0) == 0);
    require(pthread_create(&worker, 0, works, 0) == 0);
    pthread_join(worker, 0);
    pthread_join(reader, 0);
}
