// A thread reads again under a lock that it reads already, and a writer waits in between: musl lets it, for it does not prefer
// writers. The twin of `deadlock_reader` in Rust.
#include "../meeting.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static meeting here = MEETING;
static int value;

static void *writer(void *arg) {
    meet(&here);
    pthread_rwlock_wrlock(&lock);
    value++;
    pthread_rwlock_unlock(&lock);
    return arg;
}

int main(void) {
    pthread_t thread;
    pthread_rwlock_rdlock(&lock);
    require(pthread_create(&thread, 0, writer, 0) == 0);
    meet(&here);
    pthread_rwlock_rdlock(&lock);
    require(value == 0);
    pthread_rwlock_unlock(&lock);
    pthread_rwlock_unlock(&lock);
    require(pthread_join(thread, 0) == 0);
}
