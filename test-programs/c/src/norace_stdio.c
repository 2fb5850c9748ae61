// The twin of race_stdio: what the other thread writes is beside what is read and written.
#include "../meeting.h"
#include <stdio.h>
#include <string.h>

#define CELLS 12
static volatile char cells[CELLS][16];
static meeting here = MEETING;

#define CELL(n) ((char *)cells[n])

static void *use(void *arg) {
    char out[32];
    int number = 0;
    meet(&here);
    snprintf(out, sizeof out, "%.*s|%.3s|%.0s", 2, CELL(0), CELL(1), CELL(2));
    snprintf(CELL(3), 4, "%d", 123456);
    sprintf(CELL(4), "%s", "ab");
    require(sscanf("12 x", "%d %d %4s", &number, (int *)CELL(5), CELL(6)) == 1);
    require(sscanf("ab", "%*s%n", &number) >= -1);
    require(sscanf("x", "%*d%n", (int *)CELL(8)) == 0);
    require(sscanf("kex", "key%n", (int *)CELL(9)) == 0);
    require(sscanf("5kex", "%dkey%n", &number, (int *)CELL(10)) == 1);
    require(sscanf("5", "%d%hhn", &number, CELL(11)) == 1);
    fwrite(CELL(7), 1, 4, stdout);
    putchar('\n');
    require(number != 0);
    return arg;
}

int main(void) {
    for (int i = 0; i < CELLS; i++)
        strcpy(CELL(i), "123456789");
    pthread_t thread;
    require(pthread_create(&thread, 0, use, 0) == 0);
    meet(&here);
    cells[0][2] = 'z';
    cells[1][3] = 'z';
    cells[2][0] = 'z';
    cells[3][4] = 'z';
    cells[4][3] = 'z';
    cells[5][0] = 'z';
    cells[6][0] = 'z';
    cells[7][4] = 'z';
    cells[8][0] = 'z';
    cells[9][0] = 'z';
    cells[10][0] = 'z';
    cells[11][1] = 'z';
    require(pthread_join(thread, 0) == 0);
}
