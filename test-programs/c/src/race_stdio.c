// Functions of standard input and output read and write memory of their caller that another thread writes.
#include "../meeting.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CELLS 20
static volatile char cells[CELLS][16];
static meeting here = MEETING;

#define CELL(n) ((char *)cells[n])

static void v_print(char *out, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(out, 32, format, args); //~ race(3)
    va_end(args);
}

static void *use(void *arg) {
    FILE *nowhere = arg, *somewhere = fmemopen("abcdefghijkl", 12, "r");
    require(somewhere != 0);
    char out[32];
    int number;
    meet(&here);
    fprintf(nowhere, "%d %lld %f %s\n", 1, 2LL, 3.0, CELL(0)); //~ race(0)
    snprintf(CELL(1), 16, "%d!", 12); //~ race(1)
    sprintf(out, "%.*s|%5s", 2, CELL(2), "x"); //~ race(2)
    v_print(out, "%c%.3s", 'a', CELL(3));
    sscanf("12 cd", "%d %4s", &number, CELL(4)); //~ race(4)
    sscanf(CELL(5), "%d", &number); //~ race(5)
    fwrite(CELL(6), 1, 12, nowhere); //~ race(6)
    fputs(CELL(7), nowhere); //~ race(7)
    fprintf(nowhere, CELL(8), 0); //~ race(8)
    snprintf(out, sizeof out, "ab%n", (int *)CELL(9)); //~ race(9)
    fgets(CELL(10), 4, somewhere); //~ race(10)
    fread(CELL(11), 1, 4, somewhere); //~ race(11)
    puts(CELL(12)); //~ race(12)
    char *line = CELL(13);
    size_t size = 16;
    require(getline(&line, &size, somewhere) > 0 && line == CELL(13)); //~ race(13)
    fscanf(somewhere, CELL(14), 0); //~ race(14)
    sscanf("12345", "%*d%n", (int *)CELL(15)); //~ race(15)
    sscanf("key", "key%n", (int *)CELL(16)); //~ race(16)
    sscanf("5key", "%dkey%n", &number, (int *)CELL(17)); //~ race(17)
    rewind(somewhere);
    fscanf(somewhere, "ab%hhn%*s", CELL(18)); //~ race(18)
    sscanf("5", "%d%lln", &number, (long long *)CELL(19)); //~ race(19)
    return 0;
}

int main(void) {
    char buffer[256];
    FILE *nowhere = fmemopen(buffer, sizeof buffer, "w");
    require(nowhere != 0);
    for (int i = 0; i < CELLS; i++)
        strcpy(CELL(i), "12345678901");
    pthread_t thread;
    require(pthread_create(&thread, 0, use, nowhere) == 0);
    meet(&here);
    cells[0][0] = 'z'; //~ race(0)
    cells[1][1] = 'z'; //~ race(1)
    cells[2][1] = 'z'; //~ race(2)
    cells[3][2] = 'z'; //~ race(3)
    cells[4][2] = 'z'; //~ race(4)
    cells[5][0] = '7'; //~ race(5)
    cells[6][11] = 'z'; //~ race(6)
    cells[7][3] = 'z'; //~ race(7)
    cells[8][3] = 'z'; //~ race(8)
    cells[9][0] = 'z'; //~ race(9)
    cells[10][0] = 'z'; //~ race(10)
    cells[11][0] = 'z'; //~ race(11)
    cells[12][0] = 'z'; //~ race(12)
    cells[13][0] = 'z'; //~ race(13)
    cells[14][0] = 'z'; //~ race(14)
    cells[15][0] = 'z'; //~ race(15)
    cells[16][3] = 'z'; //~ race(16)
    cells[17][0] = 'z'; //~ race(17)
    cells[18][0] = 'z'; //~ race(18)
    cells[19][7] = 'z'; //~ race(19)
    require(pthread_join(thread, 0) == 0);
}
