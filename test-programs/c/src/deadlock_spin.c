// Two threads spin for what the other one has, until grind ends the run.
//@ steps: 3000000
//@ says: deadlock between T1 and T2
//@ says: T1 waits for lock 0x… `locks + 4`, held by T2
#include "../meeting.h"

static pthread_spinlock_t locks[2];
static meeting here = MEETING;

static void *work(void *arg) {
    pthread_spin_lock(&locks[(long)arg]);
    meet(&here);
    pthread_spin_lock(&locks[1 - (long)arg]); //~ deadlock(1) deadlock(1)
    return arg;
}

int main(void) {
    pthread_spin_init(&locks[0], 0);
    pthread_spin_init(&locks[1], 0);
    in_two_threads(work);
}
