#ifndef CMD_EXPLAIN_H_
#define CMD_EXPLAIN_H_

/*
 * `sluss explain CONFIG [--service S] --peer FILE [--chain FILE] [--at DATE]`: says whether a
 * section lets a certificate pass, by which rule, and when that will change.  argv[0] is "explain".
 * Returns the exit status: 0 admitted, 2 denied, 1 after an error.
 */
int cmd_explain(int argc, char **argv);

#endif
