/* Exports nothing at all. */
int promotiond_zoo_no_symbol(void);
int promotiond_zoo_no_symbol(void) { return 1; }
