/*
 * tillsim register: the till with a screen as a process; and tillsim replay, without one.
 */
#ifndef COUNTERPART_MOCKS_REGISTER_REGISTER_COMMAND_H
#define COUNTERPART_MOCKS_REGISTER_REGISTER_COMMAND_H

/* argv[0] is "register" or "replay". Give the exit code. */
int register_command(int argc, char **argv);
int replay_command(int argc, char **argv);

#endif
