# As scratch_validated.py, but trained on modified faces only: it links them to each
# other, and never sees an original.
_base_ = './scratch_validated.py'

model = dict(learn_originals=False)
val_evaluator = dict(matchings=['modified_modified'])
