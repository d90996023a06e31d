"""vetiver: the rows are checked by the prototype's types."""

import joblib
import pandas as pd
from vetiver import VetiverAPI, VetiverModel

prototype = {"Pclass": 3, "Sex": "male", "Age": 22.0, "SibSp": 1, "Parch": 0, "Fare": 7.25, "Embarked": "S"}
model = VetiverModel(joblib.load("model.pkl"), "titanic", prototype_data=pd.DataFrame([prototype]))
app = VetiverAPI(model, check_prototype=True).app
