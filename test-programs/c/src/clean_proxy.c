// The twin of `deadlock_proxy`: the thread waits for the answer without the lock.
#include "../meeting.h"

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER, state_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t posted = PTHREAD_COND_INITIALIZER, answered = PTHREAD_COND_INITIALIZER;
static void (*jobs[8])(void);
static int head, tail, done, state;

static void redraw(void) {
    pthread_mutex_lock(&state_lock);
    state++;
    pthread_mutex_unlock(&state_lock);
}

static void measure(void) {}

static void post(void (*job)(void), int wait) {
    pthread_mutex_lock(&queue_lock);
    int mine = tail;
    jobs[tail++ % 8] = job;
    pthread_cond_signal(&posted);
    while (wait && done <= mine)
        pthread_cond_wait(&answered, &queue_lock);
    pthread_mutex_unlock(&queue_lock);
}

static void *worker(void *arg) {
    post(measure, 1);
    post(redraw, 0);
    post(measure, 1);
    pthread_mutex_lock(&state_lock);
    state += 10;
    pthread_mutex_unlock(&state_lock);
    return arg;
}

int main(void) {
    pthread_t thread;
    require(pthread_create(&thread, 0, worker, 0) == 0);
    for (int i = 0; i < 3; i++) {
        pthread_mutex_lock(&queue_lock);
        while (head == tail)
            pthread_cond_wait(&posted, &queue_lock);
        void (*job)(void) = jobs[head++ % 8];
        pthread_mutex_unlock(&queue_lock);
        job();
        pthread_mutex_lock(&queue_lock);
        done = head;
        pthread_cond_broadcast(&answered);
        pthread_mutex_unlock(&queue_lock);
    }
    pthread_join(thread, 0);
}
