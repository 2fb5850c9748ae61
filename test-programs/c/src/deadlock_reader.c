// A writer asks for a lock that it reads: the circle is itself.
//@ says: deadlock: T0 main waits for itself
//@ says: `lock` (held by T0 main)
#include "../meeting.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

int main(void) {
    pthread_rwlock_rdlock(&lock);
    pthread_rwlock_wrlock(&lock); //~ deadlock(1)
}
