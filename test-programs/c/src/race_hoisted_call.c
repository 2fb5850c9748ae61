// A number is read without the lock under which it is written. The compiler reads it before a loop whose later rounds use it, each
// behind a call.
#include "../meeting.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int number;
static volatile int shown;

__attribute__((noinline)) static void show(int sum) { shown = sum; }

__attribute__((noinline)) static int total(int count, int odd) {
    int value = number; //~ race(1)
    int sum = 0;
    for (int i = 0; i < count; i++) {
        sum += (i & 1) == odd ? value : 7;
        show(sum);
    }
    return sum;
}

static void *reader(void *arg) {
    total(6, 1);
    return arg;
}

static void *writer(void *arg) {
    pthread_mutex_lock(&mutex);
    number = 9; //~ race(1)
    pthread_mutex_unlock(&mutex);
    return arg;
}

int main(void) {
    pthread_t threads[2];
    require(pthread_create(&threads[0], 0, reader, 0) == 0);
    require(pthread_create(&threads[1], 0, writer, 0) == 0);
    require(pthread_join(threads[0], 0) == 0);
    require(pthread_join(threads[1], 0) == 0);
}
