import shutil
def test_copy(full,holes,hostile,planned_only,only_failures,one_seed,refused,empty,newer):
    for k,v in dict(full=full,holes=holes,hostile=hostile,planned_only=planned_only,only_failures=only_failures,one_seed=one_seed,refused=refused,empty=empty,newer=newer).items():
        shutil.copy(v,f'/tmp/states/{k}.db')
