// A thread has main do something and waits for the answer, with a lock that main needs before.
//@ says: deadlock between T0 main and T1
//@ says: T0 main waits for lock 0x… `state_lock`, held by T1
//@ says: T1 waits for a notification of the condition variable 0x… `answered`
//@ says: (given before by T0 main)
#include "../meeting.h"

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER, state_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t posted = PTHREAD_COND_INITIALIZER, answered = PTHREAD_COND_INITIALIZER;
static void (*jobs[8])(void);
static int head, tail, done, state;

static void redraw(void) {
    pthread_mutex_lock(&state_lock); //~ deadlock(1)
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
        pthread_cond_wait(&answered, &queue_lock); //~ deadlock(1)
    pthread_mutex_unlock(&queue_lock);
}

static void *worker(void *arg) {
    post(measure, 1);
    pthread_mutex_lock(&state_lock);
    post(redraw, 0);
    post(measure, 1);
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
