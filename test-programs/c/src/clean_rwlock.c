// Read-write locks, taken in every way.
//@ stdout: 20
#include "../meeting.h"
#include <stdio.h>

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static int sum;

static void *work(void *arg) {
    for (int i = 0; i < 10; i++) {
        pthread_rwlock_rdlock(&lock);
        require(sum <= 20);
        pthread_rwlock_unlock(&lock);
        if (pthread_rwlock_tryrdlock(&lock) == 0) {
            require(sum <= 20);
            pthread_rwlock_unlock(&lock);
        }
        if (i % 2 || pthread_rwlock_trywrlock(&lock) != 0)
            pthread_rwlock_wrlock(&lock);
        sum++;
        pthread_rwlock_unlock(&lock);
    }
    return arg;
}

int main(void) {
    in_two_threads(work);
    pthread_rwlock_destroy(&lock);
    printf("%d\n", sum);
}
