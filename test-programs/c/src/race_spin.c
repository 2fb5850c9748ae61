// Each thread takes a spin lock of its own.
#include "../meeting.h"

static pthread_spinlock_t locks[2];
static meeting here = MEETING;
static volatile int sum;

static void *work(void *arg) {
    pthread_spin_lock(&locks[(long)arg]);
    meet(&here);
    sum++; //~ race(1) race(1)
    pthread_spin_unlock(&locks[(long)arg]);
    return arg;
}

int main(void) { in_two_threads(work); }
