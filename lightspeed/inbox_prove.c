/* Stands in until it is written. */
#include "lightspeed/inbox_state.h"

#include "base/banned.h"

void prove_begin(struct chore *chore)
{
    chore_give_up(chore, "not served yet");
}
