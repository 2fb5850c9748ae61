// The twin of race_speculative in which the number is written before it is announced. The compiler loads it in any case, and
// chooses afterwards.
#include "../meeting.h"
#include <stdatomic.h>
#include <stdbool.h>

static atomic_int ready;
static int number, other;
static bool flag;

__attribute__((noinline)) static int get(void) {
    if (atomic_load(&ready))
        return number;
    return -1;
}

__attribute__((noinline)) static bool both(void) { return atomic_load(&ready) && flag; }

__attribute__((noinline)) static bool compared(void) { return atomic_load(&ready) && number == 42; }

__attribute__((noinline)) static int sum(int before) {
    if (atomic_load(&ready))
        before += number * other;
    return before;
}

// The load of `number` is hoisted out of the loop.
__attribute__((noinline)) static int total(const char *wanted, int count) {
    int sum = 0;
    for (int i = 0; i < count; i++)
        if (wanted[i])
            sum += number;
    return sum;
}

static atomic_int announced[8];
static int numbers[8];

// All are loaded from left to right, flags between them, and chosen among at the end.
__attribute__((noinline)) static int first_two(void) {
    return (atomic_load(&announced[0]) ? numbers[0] : 0) + (atomic_load(&announced[1]) ? numbers[1] : 0);
}

__attribute__((noinline)) static int all(void) {
    int sum = 0;
    for (int i = 0; i < 8; i++)
        if (atomic_load(&announced[i]))
            sum += numbers[i];
    return sum;
}

__attribute__((noinline)) static int polled(int count) {
    int last = -1;
    for (int i = 0; i < count; i++)
        if (atomic_load(&ready))
            last = number;
    return last;
}

static void *reader(void *arg) {
    static const char none[5];
    while (polled(4) == -1) {
    }
    while (first_two() != 3 || all() != 36) {
    }
    while (total(none, 5)) {
    }
    while (get() == -1) {
    }
    while (!both() || !compared() || !sum(0)) {
    }
    return arg;
}

int main(void) {
    pthread_t thread;
    require(pthread_create(&thread, 0, reader, 0) == 0);
    for (int i = 0; i < 8; i++) {
        numbers[i] = i + 1;
        atomic_store(&announced[i], 1);
    }
    number = 42;
    other = 2;
    flag = true;
    atomic_store(&ready, 1);
    require(pthread_join(thread, 0) == 0);
}
