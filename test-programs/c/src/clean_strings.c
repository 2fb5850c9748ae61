// Strings that share words of memory with those of other threads: libc reads whole words.
#include "../meeting.h"
#include <stdio.h>
#include <string.h>

static char all[4][6];

static void *work(void *arg) {
    char *own = arg, out[64];
    for (int round = 0; round < 4; round++) {
        strcpy(own, round & 1 ? "ab" : "abcde");
        switch (round) {
        case 0:
            require(strlen(own) == 5 && strcmp(own, "abc") > 0);
            break;
        case 1:
            require(strchr(own, 'b') == own + 1 && strnlen(own, 6) == 2);
            break;
        case 2:
            require(memchr(own, 'c', 6) == own + 2 && memchr(own, 'x', 6) == 0);
            require(memccpy(out, own, 'd', 6) == out + 4);
            strncpy(own, "ab", 6);
            break;
        default:
            require(strlcpy(out, own, 2) == 2 && stpcpy(own, "abc") == own + 3);
            char *copy = strdup(own);
            require(strlen(strcat(copy, "")) == 3);
            free(copy);
        }
    }
    return 0;
}

int main(void) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) require(pthread_create(&threads[i], 0, work, all[i]) == 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
}
