// The twin of race_hoisted_call in which the number is read under the lock.
#include "../meeting.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int number;
static volatile int shown;

__attribute__((noinline)) static void show(int sum) { shown = sum; }

__attribute__((noinline)) static int total(int count, int odd) {
    pthread_mutex_lock(&mutex);
    int value = number;
    int sum = 0;
    for (int i = 0; i < count; i++) {
        sum += (i & 1) == odd ? value : 7;
        show(sum);
    }
    pthread_mutex_unlock(&mutex);
    return sum;
}

static void *reader(void *arg) {
    total(6, 1);
    return arg;
}

static void *writer(void *arg) {
    pthread_mutex_lock(&mutex);
    number = 9;
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
