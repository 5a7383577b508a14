"""Whole projects: their tasks predicted as the server would, and each prediction uploaded once.

::

    project = open_project(settings, 7)              Label Studio, through its own SDK
    run = plan_run(settings, project)                the plan /predict uses, so versions and results are equal
    for chunk in split_ids(...): run.work(chunk)     list, predict, upload; again and again without doing anything twice

Here or on other machines: `local_run` works through the chunks in threads of this process, `queued_run` hands them to
workers.
"""
