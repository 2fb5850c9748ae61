// The main thread joins itself: nobody was given its handle, but it asked for it.
//@ says: deadlock: T0 main waits for its own end
//@ says: cycle: T0 main → the end of T0 main
#include "../meeting.h"

int main(void) {
    pthread_join(pthread_self(), 0); //~ deadlock(1)
}
