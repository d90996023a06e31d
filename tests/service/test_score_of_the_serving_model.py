"""What was changed but not trained yet does not touch the model that serves."""

URL = "/titanic"


def test_a_changed_option_does_not_change_the_score_of_the_serving_model(client):
    before = client.post(f"{URL}?_action=score").get_json()
    assert client.put(f"{URL}?include=Sex&target_col=Pclass&dropna=false").status_code == 200
    assert client.post(f"{URL}?_action=score").get_json() == before


def test_the_score_of_a_training_is_the_score_on_the_stored_rows(client):
    trained = client.post(f"{URL}?_action=retrain").get_json()
    assert client.post(f"{URL}?_action=score").get_json() == trained
