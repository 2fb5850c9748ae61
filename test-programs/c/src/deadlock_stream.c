// One thread has a stream's lock and asks for a mutex that the other has, which prints into the stream.
//@ says: deadlock between T1 and T2
//@ says: T1 waits for lock 0x… `lock`, held by T2
//@ says: T2 waits for the lock 0x… (FILE), which T1 took before
#include "../meeting.h"
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static meeting here = MEETING;

static void *locks(void *stream) {
    flockfile(stream);
    meet(&here);
    pthread_mutex_lock(&lock); //~ deadlock(1)
    pthread_mutex_unlock(&lock);
    funlockfile(stream);
    return stream;
}

static void *prints(void *stream) {
    pthread_mutex_lock(&lock);
    meet(&here);
    fputs("text", stream); //~ deadlock(1)
    pthread_mutex_unlock(&lock);
    return stream;
}

int main(void) {
    pthread_t threads[2];
    require(pthread_create(&threads[0], 0, locks, stderr) == 0);
    require(pthread_create(&threads[1], 0, prints, stderr) == 0);
    for (int i = 0; i < 2; i++)
        require(pthread_join(threads[i], 0) == 0); //~ deadlock(1)
}
