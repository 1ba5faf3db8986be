#include "supernet/train/trainer_state.h"

bool sq_trainer_is_root(const sq_trainer *t)
{
    return sq_ranks_rank(t->run->ranks) == 0;
}

sq_retention sq_trainer_retention(const sq_train_options *o)
{
    return (sq_retention){
        .newest = o->keep, .every = (int64_t)o->keep_every * o->checkpoint_every, .anchor = o->checkpoint_every};
}
