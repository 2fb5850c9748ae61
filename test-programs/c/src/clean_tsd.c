// Thread-specific data and thread-locals, whose destructor runs before a join returns.
//@ stdout: 2 0
#include "../meeting.h"
#include <stdio.h>

static pthread_key_t key;
static _Thread_local int local;
static int gone[2];

static void destroy(void *value) {
    gone[*(int *)value] = 1;
    free(value);
}

static void *work(void *arg) {
    int *mine = malloc(sizeof *mine);
    require(mine && pthread_getspecific(key) == 0);
    *mine = (int)(long)arg;
    pthread_setspecific(key, mine);
    for (int i = 0; i < 5; i++)
        local++;
    require(local == 5 && pthread_getspecific(key) == mine);
    return arg;
}

int main(void) {
    require(pthread_key_create(&key, destroy) == 0);
    in_two_threads(work);
    pthread_key_delete(key);
    printf("%d %d\n", gone[0] + gone[1], local);
}
