"""Validates a model before its training."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmanon.registry import HOOKS

__all__ = ['ValidateFirstHook']


@HOOKS.register_module()
class ValidateFirstHook(Hook):
    """Validates before the first iteration.

    mmengine's ``CheckpointHook(save_best=...)`` and ``EarlyStoppingHook`` then start
    from this result. So the best checkpoint of a training that starts from trained
    weights is never worse than these in its validation. A resumed training does not
    repeat it.
    """

    # After the hook that keeps the best checkpoint is ready.
    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        """Validate once.

        Raises:
            ValueError: If there is nothing to validate with.
        """
        if runner.val_loop is None:
            raise ValueError(
                'ValidateFirstHook needs val_dataloader, val_cfg and val_evaluator'
            )
        if runner.iter == 0:
            runner.val_loop.run()
