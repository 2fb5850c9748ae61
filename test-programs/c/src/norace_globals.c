// The twin of race_globals: a mutex.
#include "../meeting.h"

typedef struct {
    int hits, misses;
} counts;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static meeting here = MEETING;
static volatile int total;
static volatile counts table[4];

static void *work(void *arg) {
    static volatile long long calls;
    meet(&here);
    pthread_mutex_lock(&lock);
    total++;
    table[2].misses++;
    calls++;
    pthread_mutex_unlock(&lock);
    return arg;
}

int main(void) { in_two_threads(work); }
