// Functions of libc that read and write the bytes of a string that another thread has.
#include "../meeting.h"
#include <string.h>

static char length[6] = "abc", found[6] = "abc", copied[6] = "abc", padded[6] = "ab";
static meeting here = MEETING;

static void *read_all(void *arg) {
    (void)arg;
    char out[6];
    meet(&here);
    require(strlen(length) <= 5); //~ race(1)
    require(memchr(found, 'c', 6) != 0); //~ race(2)
    require(stpcpy(out, copied) != 0); //~ race(3)
    require(padded[5] == 0); //~ race(4)
    return 0;
}

int main(void) {
    pthread_t thread;
    require(pthread_create(&thread, 0, read_all, 0) == 0);
    meet(&here);
    ((volatile char *)length)[3] = 0; //~ race(1)
    ((volatile char *)found)[2] = 'c'; //~ race(2)
    stpcpy(copied, "abc"); //~ race(3)
    stpncpy(padded, "ab", 6); //~ race(4)
    pthread_join(thread, 0);
}
