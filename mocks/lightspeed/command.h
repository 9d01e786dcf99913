/*
 * `tillsim cloud`: the whole fake as one subcommand.
 */
#ifndef COUNTERPART_MOCKS_LIGHTSPEED_COMMAND_H
#define COUNTERPART_MOCKS_LIGHTSPEED_COMMAND_H

/* argv[0] is the word "cloud". Gives the exit code: 0 after SIGTERM or SIGINT, 2 for a wrong
 * command line, 3 when it could not start. */
int cloud_command(int argc, char **argv);

#endif
