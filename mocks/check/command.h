/* `tillsim check`: the conformance suite, see docs/conformance/README.md. Gives the exit code. */
#ifndef COUNTERPART_MOCKS_CHECK_COMMAND_H
#define COUNTERPART_MOCKS_CHECK_COMMAND_H

int check_command(int argc, char **argv);

#endif
