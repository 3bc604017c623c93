#ifndef BASE_THREAD_H_
#define BASE_THREAD_H_

/* How the scheduler treats the calling thread. */

/* Makes it so much nicer than the process was started, 1 to 19 (sched(7): on Linux a thread
 * has a nice value of its own).  Returns 0, or -1 with errno set. */
int thread_nice(int);

/* Keeps it on the i-th of the CPUs that the thread may use now, counted round when there
 * are fewer.  Returns 0, or -1 with errno set. */
int thread_pin(unsigned i);

#endif
