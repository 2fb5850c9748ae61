// What the guests share: see `Meeting` and `Shared` in ../wasip1-threads/src/lib.rs.
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

// Where two threads meet right before accesses that are to be unordered in every schedule. Used once.
typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t all;
    int here;
} meeting;

#define MEETING {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0}

static inline void meet(meeting *m) {
    pthread_mutex_lock(&m->lock);
    if (++m->here == 2)
        pthread_cond_broadcast(&m->all);
    while (m->here < 2)
        pthread_cond_wait(&m->all, &m->lock);
    pthread_mutex_unlock(&m->lock);
}

static inline void require(int condition) {
    if (!condition)
        abort();
}

// Runs `work` in two threads, with 0 and 1, and joins them.
static inline void in_two_threads(void *(*work)(void *)) {
    pthread_t threads[2];
    for (long i = 0; i < 2; i++)
        require(pthread_create(&threads[i], 0, work, (void *)i) == 0);
    for (int i = 0; i < 2; i++)
        require(pthread_join(threads[i], 0) == 0);
}
